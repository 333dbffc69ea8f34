"""Compares NBD servers on one disk with fio's NBD engine."""
