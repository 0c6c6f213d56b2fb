//! Label and field selectors: reading their text, matching, printing.
