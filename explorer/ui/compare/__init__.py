"""The Compare screen: several models' measures, pictures, maps, curves and settings side by side."""
