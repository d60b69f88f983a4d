"""Networks that make something, or learn without labels: each is made of the layers and losses of this book."""
