// The elements are SPI-NOR chips.

import { useBanks } from "../flash/bank"
import { NorBank } from "../flash/nor"

useBanks((selects, out, into) => new NorBank(selects, out, into))
