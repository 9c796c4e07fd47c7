"""Admin pages: text, HTML or JSON from one data function each."""
