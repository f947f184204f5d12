"""Foreign text: whether there is anything in it, limits before it is parsed, and made harmless on its way out."""
