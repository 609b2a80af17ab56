"""The docks: one a file, each following its viewer's session."""
