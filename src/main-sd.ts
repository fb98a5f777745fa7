// The firmware of a node whose elements are SD cards (see main.ts).

import "./hal/cards"
import "./program"
