"""Mixed precision: which sites may vary, what their bits cost, and mixtures of bit-widths. ``options`` is light."""
