"""Panels of the screens: each draws one part of a view and turns what a person does there into a pick."""
