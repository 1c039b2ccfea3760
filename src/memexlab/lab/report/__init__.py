"""The morning report: what it says, its picture, and how it is written down."""
