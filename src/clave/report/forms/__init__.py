"""The forms of a page, a file each: a function from a page to the text of a file."""
