"""How good a model is by its test set, how a picture compares with it, and folders of pictures ranked by it."""
