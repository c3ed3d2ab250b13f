"""What several task families need: caches, checkpoints and requests; glyphs and drawing of the mini pictures."""
