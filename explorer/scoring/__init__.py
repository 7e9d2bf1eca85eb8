"""How a picture compares with a model's test set, and folders of pictures ranked by it."""
