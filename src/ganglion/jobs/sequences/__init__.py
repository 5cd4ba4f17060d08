"""Jobs of texts and series: what is learned from them, how it is judged, and what the report shows of them."""
