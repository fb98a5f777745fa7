// The firmware of a node whose elements are SPI-NOR chips; `main-sd.ts` is that of one with SD cards. Two images, because both drivers at once
// would take more of the 64 KB that functions may have than is left (docs/decisions/0006).

import "./hal/chips"
import "./program"
