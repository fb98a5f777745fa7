// The elements are SPI-NOR chips.

import * as ds from "@devicescript/core"
import { useBanks } from "../flash/bank"
import { NorBank } from "../flash/nor"
import { ChipPort } from "./chip-port"

useBanks((selects, out, into) => new NorBank(new ChipPort(selects as ds.IOPin[]), out, into))
