"""The part of a page that belongs to one family; a file here is found by the family's name."""
