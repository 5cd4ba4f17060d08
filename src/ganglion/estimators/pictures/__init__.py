"""Networks for pictures: classes, masks, boxes, captions, style."""
