// What a volume acknowledged of an upload it holds from then on: a node that is asked how much it has never says less, whoever serves by then.
// Compared on the wire, with what had been acknowledged when the question was asked; so it makes no difference what is overtaken on its way.

import { hasValidNoticeCheck } from "../bridge/protocol/check"
import type { Progress } from "../bridge/protocol/notices"
import { queryOps, statusNames, volumeLetter } from "../bridge/protocol/numbers"

/** In the question the upload's number, in the answer the bytes held. */
const atArgument = 12
const askedMax = 64

interface Asked {
    /** Of the question: its answer's check is of it, too. */
    check: number
    volume: number
    handle: number
    acknowledged: number
}

export class UploadWatch {
    /** By volume and handle. */
    private readonly acknowledged = new Map<string, number>()
    /** The latest questions, the oldest first. */
    private readonly asked: Asked[] = []

    progress({ volume, uploads }: Progress): void {
        for (const { handle, status, acknowledged } of uploads)
            if (status === "ok") {
                const key = `${volume} ${handle}`
                this.acknowledged.set(key, Math.max(acknowledged, this.acknowledged.get(key) ?? 0))
            }
    }

    query(frame: Buffer): void {
        if (frame[5] !== queryOps.upload) return
        const check = frame.readUInt32LE(0)
        if (this.asked.some(one => one.check === check)) return // sent again
        const volume = frame[4]
        const handle = frame.readUInt16LE(atArgument)
        this.asked.push({ check, volume, handle, acknowledged: this.acknowledged.get(`${volume} ${handle}`) ?? 0 })
        if (this.asked.length > askedMax) this.asked.shift()
    }

    /** @returns what is wrong with an answer; undefined: nothing */
    answer(frame: Buffer): string | undefined {
        if (frame[5] !== queryOps.upload || statusNames[frame[8]] !== "ok") return undefined
        const asked = this.asked.find(({ check }) => hasValidNoticeCheck(frame, check))
        const held = frame.readUInt32LE(atArgument)
        if (!asked || held >= asked.acknowledged) return undefined
        const upload = `upload ${asked.handle} of volume ${volumeLetter(asked.volume)}`
        return `${upload}: ${asked.acknowledged} bytes were acknowledged, and ${held} are held`
    }
}
