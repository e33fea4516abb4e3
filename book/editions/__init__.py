"""The book to take along: PDF, e-book and archives, made from the built site."""
