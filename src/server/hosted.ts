// One of the two volumes a node may control, with what serves it.

import { Queries } from "../store/queries"
import { Requests } from "../store/requests"
import { notController, ok, wrongEpoch } from "../store/status"
import { Upload } from "../store/upload"
import { Volume, uploadsMax } from "../store/volume"

export class Hosted {
    /** Of the volume. */
    number: number
    volume: Volume
    requests: Requests
    queries: Queries
    /** Mounted, and this node is its controller. */
    serving: boolean
    /** Epoch as last known here. */
    epoch: number
    /** The upload written to last. */
    current: Upload
    /** When to go on with giving space back. */
    reclaimMs: number
    // per upload slot: which upload the rest is about, what the host was told, when to go on without the partner's copy
    /** 0 = it is to be told about anew, whatever was told before. */
    toldObjects: number[]
    toldEnds: number[]
    /** Acknowledged ends, while a progress notice is made. */
    ends: number[]
    toldStatus: number[]
    copyDueMs: number[]
    /** When copies that the partner has not told of are taken for lost. */
    lostMs: number[]

    constructor(volume: Volume) {
        this.number = volume.number
        this.volume = volume
        this.requests = new Requests(volume)
        this.queries = new Queries(volume)
        this.serving = false
        this.epoch = 0
        this.current = volume.uploads[0]
        this.reclaimMs = 0
        this.toldObjects = []
        this.toldEnds = []
        this.ends = []
        this.toldStatus = []
        this.copyDueMs = []
        this.lostMs = []
        for (let i = 0; i < uploadsMax; i++) {
            this.toldObjects.push(0)
            this.toldEnds.push(0)
            this.ends.push(0)
            this.toldStatus.push(ok)
            this.copyDueMs.push(0)
            this.lostMs.push(0)
        }
    }
}

/** Slot of the upload with this handle, or -1. */
export function slotOf(hosted: Hosted, handle: number): number {
    const uploads = hosted.volume.uploads
    for (let i = 0; i < uploadsMax; i++) {
        const object = uploads[i].object
        if (object) if ((object & 0xffff) === handle) return i
    }
    return -1
}

/** Status that keeps a frame from being looked at, or ok. */
export function refusal(hosted: Hosted, epoch: number): number {
    if (!hosted) return notController
    if (!hosted.serving) return notController
    if (epoch !== 0) if (epoch !== hosted.epoch % 0x10000) return wrongEpoch
    return ok
}
