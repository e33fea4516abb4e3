"""What readers type into the search, and where it leads."""
