//! Cross-origin resource sharing as a tower layer and as Kong's cors plugin.
