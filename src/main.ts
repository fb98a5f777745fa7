import { Volume } from "./store/volume"
import { Requests } from "./store/requests"
import { Queries } from "./store/queries"
import { Reader } from "./store/reader"
import { NorBank } from "./flash/nor"
import { MirrorArray } from "./array/mirror"
import { NodeCache } from "./store/tree"
const v = new Volume(0, new MirrorArray(new NorBank(null, null, null), 2, 4, 5), new NodeCache(), null, null, null)
const r = new Requests(v), q = new Queries(v), rd = new Reader(null)
console.log(r, q, rd)
