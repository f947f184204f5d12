"""Demonstration data: labelled examples and unseen responses for the moral foundations. DATA.md says what they are and are not."""
