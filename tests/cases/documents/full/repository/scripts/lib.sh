# used by the others
