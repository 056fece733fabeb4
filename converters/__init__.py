"""Part of tinycnn."""
