// The elements are SD cards.

import * as ds from "@devicescript/core"
import { useBanks } from "../flash/bank"
import { SdBank } from "../flash/sd"
import { CardSelects } from "./card-port"

useBanks((selects, out, into) => new SdBank(new CardSelects(selects as ds.IOPin[]), out, into))
