# SPDX-License-Identifier: MIT
"""One question a module: measure, bars, table, plot."""
