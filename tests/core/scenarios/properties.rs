//! What holds for every story, whatever it is about.
