// What the partner has recorded, as a node remembers it, against a naive list.

import assert from "node:assert/strict"
import { kindSession, kindUpload } from "../../src/pair/journal"
import { Recorded, clearRecorded, getRecorded, setRecorded } from "../../src/server/copies"
import { Random } from "../../tools/sim/random"

describe("recorded: what the partner says it holds", () => {
    it("what was said last of each of eight counts; unknown is nothing; clear forgets all [R8]", () => {
        const random = new Random("recorded")
        const recorded = new Recorded()
        const known: { key: string; kind: number; id: number; number: number }[] = []
        for (let n = 0; n < 20_000; n++) {
            const kind = random.chance(0.5) ? kindSession : kindUpload
            const id = 1 + random.int(7)
            const key = `${kind}/${id}`
            if (random.chance(0.5)) {
                const number = random.int(100)
                setRecorded(recorded, kind, id, number)
                const found = known.find(k => k.key === key)
                if (found) found.number = number
                else known.push({ key, kind, id, number })
                if (known.length > 8) known.shift()
            } else if (random.chance(0.002)) {
                clearRecorded(recorded)
                known.length = 0
            }
            for (let k = 1; k <= 7; k++)
                for (const of of [kindSession, kindUpload])
                    if (known.some(x => x.key === `${of}/${k}`) || known.length < 8)
                        assert.equal(
                            getRecorded(recorded, of, k),
                            known.find(x => x.key === `${of}/${k}`)?.number ?? 0,
                            `${n}`,
                        )
        }
    })
})
