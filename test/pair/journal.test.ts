// The memory of copies, by its promises and against a naive one.

import assert from "node:assert/strict"
import {
    copiesMax,
    Journal,
    kindSession,
    kindUpload,
    recordDone,
    clearJournal,
    recordCommand,
    oldestCopy,
    isAbandoned,
    endCopy,
} from "../../src/pair/journal"
import { Random } from "../../tools/sim/random"
import { block, request, useTestPlatform } from "./pair-support"

const write = 0x80
const ask = 0x81
const isFull = process.env.FULL === "1"

/** The copies in order, without ending them. */
function copies(journal: Journal): Buffer[] {
    const { frames, sizes, first, used } = journal as unknown as {
        frames: Buffer[]
        sizes: number[]
        first: number
        used: number
    }
    const found: Buffer[] = []
    for (let i = 0; i < used; i++) {
        const slot = (first + i) % copiesMax
        if (sizes[slot]) found.push(frames[slot].subarray(0, sizes[slot]))
    }
    assert.equal(found.length, journal.held)
    return found
}

function mark(journal: Journal, kind: number, id: number): { number: number; told: number } | undefined {
    for (let i = 0; i < journal.markKinds.length; i++)
        if (journal.markKinds[i] === kind && journal.markIds[i] === id)
            return { number: journal.markNumbers[i], told: journal.markTold[i] }
    return undefined
}

const uploadId = (volume: number, handle: number) => volume * 0x10000 + handle

describe("journal: copies of the partner's commands", () => {
    let journal: Journal
    beforeEach(() => {
        useTestPlatform()
        journal = new Journal()
    })

    it("copies are whole, and come back in the order in which they were heard [R8] [R9]", () => {
        const frames = [
            block(1, 7, 0, 224),
            request(1, 99, 1),
            block(1, 7, 224, 10),
            request(1, 99, 2, 200),
            block(1, 8, 0, 1),
        ]
        const commands = [write, ask, write, ask, write]
        for (const [i, frame] of frames.entries()) recordCommand(journal, commands[i], frame)
        for (const [i, frame] of frames.entries()) {
            const slot = oldestCopy(journal)
            assert.deepEqual(journal.frames[slot].subarray(0, journal.sizes[slot]), frame)
            assert.ok(journal.frames[slot].subarray(frame.length).every(byte => byte === 0))
            assert.equal(journal.commands[slot], commands[i])
            endCopy(journal, slot)
        }
        assert.equal(oldestCopy(journal), -1)
        assert.equal(journal.held, 0)
    })

    it("the ring goes round: order holds over the edge [R12]", () => {
        for (let n = 0; n < 5 * copiesMax; n++) {
            recordCommand(journal, ask, request(1, 5, n + 1))
            if (n >= 13) endCopy(journal, oldestCopy(journal))
            assert.deepEqual(
                copies(journal).map(frame => frame.readUInt32LE(12)),
                Array.from({ length: Math.min(n + 1, 13) }, (_, i) => Math.max(n - 12, 0) + i + 1),
            )
        }
    })

    it("memory full: nothing more is recorded, and not said to be [R8] [R26]", () => {
        for (let n = 0; n < copiesMax; n++) recordCommand(journal, write, block(1, 7, 224 * n, 224))
        journal.news = false
        recordCommand(journal, write, block(1, 7, 224 * copiesMax, 224))
        recordCommand(journal, ask, request(1, 5, 1))
        assert.equal(journal.held, copiesMax)
        assert.equal(journal.news, false)
        assert.equal(mark(journal, kindUpload, uploadId(1, 7))?.number, 224 * copiesMax)
        assert.equal(mark(journal, kindSession, 5), undefined)
    })

    it("memory full with gaps behind the first copy: the gaps are used, the order stays [R26]", () => {
        recordCommand(journal, ask, request(1, 1, 1))
        for (let n = 1; n < copiesMax; n++) recordCommand(journal, write, block(1, 7, 224 * (n - 1), 224))
        recordDone(journal, kindUpload, uploadId(1, 7), 224 * 10)
        assert.equal(journal.held, copiesMax - 10)
        const before = copies(journal).map(frame => Buffer.from(frame))
        const more = request(1, 2, 1)
        recordCommand(journal, ask, more)
        assert.deepEqual(copies(journal), [...before, more])
    })

    it("a host that went away for ever: its copies give way after 35 s, not before, when the memory is full [R26]", () => {
        for (let n = 0; n < copiesMax; n++) recordCommand(journal, write, block(1, 7, 224 * n, 224))
        journal.nowMs = 35_000
        recordCommand(journal, ask, request(1, 5, 1))
        assert.equal(journal.held, copiesMax)
        journal.nowMs = 35_001
        recordCommand(journal, ask, request(1, 5, 1))
        assert.equal(journal.held, 1)
        assert.equal(journal.commands[oldestCopy(journal)], ask)
    })

    it("memory full while copies are being finished: none is moved or forgotten [R9] [R21]", () => {
        for (let n = 0; n < copiesMax; n++) recordCommand(journal, write, block(1, 7, 224 * n, 224))
        journal.replaying = true
        journal.nowMs = 100_000
        recordDone(journal, kindUpload, uploadId(1, 8), 1)
        const slot = oldestCopy(journal)
        recordCommand(journal, ask, request(1, 5, 1))
        assert.equal(journal.held, copiesMax)
        assert.equal(oldestCopy(journal), slot)
    })

    it("a gap is closed while copies are being finished: none changes its slot [R9] [R21]", () => {
        for (const n of [0, 3, 2]) recordCommand(journal, write, block(1, 7, 224 * n, 224))
        journal.replaying = true
        const before = [...journal.frames]
        recordCommand(journal, write, block(1, 7, 224, 224))
        recordCommand(journal, write, block(1, 7, 224 * 5, 224))
        assert.deepEqual(journal.frames, before)
        assert.equal(journal.held, 4)
        assert.equal(mark(journal, kindUpload, uploadId(1, 7))?.number, 448)
    })

    it("nobody sends it again for 6 s: abandoned; sent again, it is waited for [R9] [R21]", () => {
        recordCommand(journal, ask, request(1, 5, 1))
        recordCommand(journal, write, block(1, 7, 0, 40))
        journal.nowMs = 5_000
        recordCommand(journal, ask, request(1, 5, 1))
        journal.nowMs = 6_001
        assert.equal(isAbandoned(journal, 0), false)
        assert.equal(isAbandoned(journal, 1), true)
    })

    it("a window that comes again is one sign of life: its copies are looked at once a second, and are waited for [R9] [R26]", () => {
        const window = Array.from({ length: 16 }, (_, n) => block(1, 7, 224 * n, 224))
        const again = () => {
            let looks = 0
            const heard = journal.heardMs
            journal.heardMs = new Proxy(heard, {
                set(list, at, ms) {
                    looks++
                    list[Number(at)] = ms as number
                    return true
                },
            })
            for (const frame of window) recordCommand(journal, write, frame)
            journal.heardMs = heard
            return looks
        }
        assert.equal(again(), window.length)
        journal.nowMs = 2_000
        assert.equal(again(), window.length, "by its first block, not by each")
        journal.nowMs = 2_999
        assert.equal(again(), 0)
        journal.nowMs = 8_001
        assert.equal(isAbandoned(journal, 3), true)
        assert.equal(again(), window.length)
        assert.equal(isAbandoned(journal, 3), false)
        assert.equal(journal.held, window.length)
    })

    it("a block beyond a gap is held and not reported; the mark is told again, so that all hear where to go on [R8]", () => {
        const id = uploadId(1, 7)
        recordCommand(journal, write, block(1, 7, 0, 224))
        journal.markTold[journal.markIds.indexOf(id)] = 224
        journal.news = false
        recordCommand(journal, write, block(1, 7, 448, 224))
        assert.equal(journal.held, 2)
        assert.deepEqual(mark(journal, kindUpload, id), { number: 224, told: -1 })
        assert.equal(journal.news, true)
        recordCommand(journal, write, block(1, 7, 224, 224))
        assert.equal(mark(journal, kindUpload, id)?.number, 672)
        assert.deepEqual(
            copies(journal).map(frame => frame.readUInt32LE(8)),
            [0, 224, 448],
        )
    })

    it("one lost block of a window: only it has to come again, by whichever way [R8] [R12]", () => {
        for (const lost of [0, 1, 7, 14])
            for (const way of ["sent again", "durable at its owner"]) {
                clearJournal(journal)
                for (let n = 0; n < 16; n++) if (n !== lost) recordCommand(journal, write, block(1, 7, 224 * n, 224))
                assert.equal(mark(journal, kindUpload, uploadId(1, 7))?.number, 224 * lost)
                if (way === "sent again") recordCommand(journal, write, block(1, 7, 224 * lost, 224))
                else recordDone(journal, kindUpload, uploadId(1, 7), 224 * (lost + 1))
                assert.equal(mark(journal, kindUpload, uploadId(1, 7))?.number, 224 * 16, `${lost}, ${way}`)
            }
    })

    it("a partner that hears an upload from its middle on: the word of what is durable makes its copies count [R12]", () => {
        for (let n = 20; n < 30; n++) recordCommand(journal, write, block(1, 7, 224 * n, 224))
        assert.equal(mark(journal, kindUpload, uploadId(1, 7))?.number, 0)
        recordDone(journal, kindUpload, uploadId(1, 7), 224 * 19)
        assert.equal(mark(journal, kindUpload, uploadId(1, 7))?.number, 224 * 19)
        recordDone(journal, kindUpload, uploadId(1, 7), 224 * 22 + 9)
        assert.equal(mark(journal, kindUpload, uploadId(1, 7))?.number, 224 * 30)
        assert.equal(journal.held, 8)
    })

    it("blocks beyond gaps leave room for those that close them; one heard twice is held once [R26]", () => {
        for (let n = 1; n < 30; n++)
            for (let times = 0; times < 2; times++) recordCommand(journal, write, block(1, 7, 448 * n, 224))
        assert.equal(journal.held, 16)
        recordCommand(journal, write, block(1, 7, 0, 224))
        recordCommand(journal, write, block(1, 7, 224, 224))
        assert.equal(mark(journal, kindUpload, uploadId(1, 7))?.number, 672)
    })

    it("a command heard again is held once, and told again [R8] [R21]", () => {
        for (const [command, frame, kind, id] of [
            [write, block(1, 7, 0, 100), kindUpload, uploadId(1, 7)],
            [ask, request(1, 5, 3), kindSession, 5],
        ] as const) {
            recordCommand(journal, command, frame)
            const { held } = journal
            journal.markTold[journal.markIds.indexOf(id)] = 100
            journal.news = false
            recordCommand(journal, command, frame)
            assert.equal(journal.held, held)
            assert.equal(mark(journal, kind, id)?.told, -1)
            assert.equal(journal.news, true)
        }
    })

    it("a block that overlaps what is recorded, and reaches further, is recorded [R8]", () => {
        recordCommand(journal, write, block(1, 7, 0, 100))
        recordCommand(journal, write, block(1, 7, 50, 100))
        assert.equal(mark(journal, kindUpload, uploadId(1, 7))?.number, 150)
        assert.equal(journal.held, 2)
    })

    it("an answered request ends its copy and those before it, of its session only [R8]", () => {
        for (const [session, sequence] of [
            [5, 1],
            [6, 1],
            [5, 2],
            [5, 3],
        ])
            recordCommand(journal, ask, request(1, session, sequence))
        recordCommand(journal, write, block(1, 5, 0, 9))
        recordDone(journal, kindSession, 5, 2)
        assert.deepEqual(
            copies(journal).map(frame => [frame.readUInt32LE(8), frame.readUInt32LE(12) & 0xff]),
            [
                [6, 1],
                [5, 3],
                [0, 0],
            ],
        )
    })

    it("an acknowledged upload ends the copies up to there, not the block across it, of its volume only [R8]", () => {
        for (let n = 0; n < 3; n++)
            for (const volume of [1, 3]) recordCommand(journal, write, block(volume, 7, 224 * n, 224))
        recordCommand(journal, ask, request(1, 7, 1))
        recordDone(journal, kindUpload, uploadId(1, 7), 500)
        assert.deepEqual(
            copies(journal).map(frame => [frame[4], frame.readUInt32LE(8)]),
            [
                [3, 0],
                [3, 224],
                [1, 448],
                [3, 448],
                [1, 7],
            ],
        )
    })

    it("what is durable at its owner counts as recorded: a partner that booted in mid-upload goes on from there [R12]", () => {
        recordDone(journal, kindUpload, uploadId(1, 7), 4_480)
        recordCommand(journal, write, block(1, 7, 4_480, 224))
        assert.equal(journal.held, 1)
        assert.equal(mark(journal, kindUpload, uploadId(1, 7))?.number, 4_704)
    })

    it("the mark used longest ago gives way to a ninth [R26]", () => {
        for (let id = 1; id <= 8; id++) recordCommand(journal, ask, request(1, id, 1))
        recordDone(journal, kindSession, 1, 1)
        recordCommand(journal, ask, request(1, 9, 1))
        assert.equal(mark(journal, kindSession, 2), undefined)
        for (const id of [1, 3, 4, 5, 6, 7, 8, 9]) assert.ok(mark(journal, kindSession, id), `${id}`)
    })

    it("a mark that gave way and is made anew counts the copies that are held still: what is told never falls [R8] [R12]", () => {
        for (const offset of [0, 224, 448]) recordCommand(journal, write, block(1, 7, offset, 224))
        for (let id = 1; id <= 8; id++) recordCommand(journal, ask, request(1, id, 1))
        assert.equal(mark(journal, kindUpload, uploadId(1, 7)), undefined)
        recordDone(journal, kindUpload, uploadId(1, 7), 224)
        assert.equal(mark(journal, kindUpload, uploadId(1, 7))?.number, 672)
    })

    it("a damaged frame is not recorded, whatever bit of it is wrong [R33]", () => {
        for (const [command, frame] of [
            [write, block(1, 7, 0, 40)],
            [ask, request(1, 5, 1)],
        ] as const)
            for (let bit = 0; bit < 8 * frame.length; bit++) {
                const damaged = Buffer.from(frame)
                damaged[bit >> 3] ^= 1 << (bit & 7)
                recordCommand(journal, command, damaged)
                assert.equal(journal.held, 0)
                assert.equal(journal.news, false)
            }
    })

    it("a frame cut short, made longer by zeros, or too long is not recorded [R33]", () => {
        const frame = block(1, 7, 0, 40)
        frame.fill(0, 40)
        for (let bytes = 0; bytes <= 260; bytes++) {
            if (bytes === frame.length) continue
            recordCommand(journal, write, Buffer.concat([frame, Buffer.alloc(220)]).subarray(0, bytes))
            recordCommand(journal, ask, Buffer.alloc(bytes))
        }
        assert.equal(journal.held, 0)
    })

    it("the shortest: a block of one byte, a request without arguments; a byte less is none [R33]", () => {
        recordCommand(journal, write, block(1, 7, 0, 0))
        recordCommand(journal, ask, request(1, 5, 1).subarray(0, 15))
        assert.equal(journal.held, 0)
        recordCommand(journal, write, block(1, 7, 0, 1))
        recordCommand(journal, ask, request(1, 5, 1, 0))
        assert.equal(journal.held, 2)
    })
})

/** The same, as one would write it without a thought for memory. */
class NaiveJournal {
    copies: { command: number; kind: number; id: number; number: number; frame: Buffer; heardMs: number }[] = []
    /** Least recently used first. */
    marks: { kind: number; id: number; number: number; ahead: number }[] = []

    private use(kind: number, id: number) {
        const at = this.marks.findIndex(m => m.kind === kind && m.id === id)
        const found = at < 0 ? { kind, id, number: 0, ahead: 0 } : this.marks.splice(at, 1)[0]
        this.marks.push(found)
        if (this.marks.length > 8) this.marks.shift()
        return found
    }

    record(command: number, frame: Buffer, nowMs: number): void {
        // only a memory without a free place looks for stale copies; `isFull` is the ring's own affair
        if (this.copies.length === copiesMax) this.copies = this.copies.filter(c => nowMs - c.heardMs <= 35_000)
        if (this.copies.length === copiesMax) return
        const isBlock = command === write
        const kind = isBlock ? kindUpload : kindSession
        const id = isBlock ? uploadId(frame[4], frame.readUInt16LE(6)) : frame.readUInt32LE(8)
        const number = isBlock ? frame.readUInt32LE(8) + frame.length - 12 : frame.readUInt32LE(12)
        const found = this.use(kind, id)
        const offset = isBlock ? frame.readUInt32LE(8) : 0
        const isAhead = offset > found.number
        if (isAhead || number <= found.number) {
            // its host has not given up: any block stands for its upload
            const same = this.copies.filter(c => c.kind === kind && c.id === id && (isBlock || c.number === number))
            for (const copy of same) copy.heardMs = nowMs
            if (!isAhead || same.some(c => c.frame.readUInt32LE(8) <= offset && c.number >= number)) return
            if (this.copies.length >= 16) return
            found.ahead = 1
        } else found.number = number
        this.copies.push({ command, kind, id, number, frame, heardMs: nowMs })
        if (found.ahead) {
            this.arrange(id)
            this.close(found)
        }
    }

    /** The last copy finds its place among the blocks of its upload; other copies stay where they are. */
    private arrange(id: number): void {
        const places = [...this.copies.keys()].filter(
            i => this.copies[i].kind === kindUpload && this.copies[i].id === id,
        )
        const blocks = places.map(i => this.copies[i])
        const last = blocks.pop()!
        let at = blocks.length
        while (at > 0 && blocks[at - 1].frame.readUInt32LE(8) > last.frame.readUInt32LE(8)) at--
        blocks.splice(at, 0, last)
        places.forEach((place, i) => (this.copies[place] = blocks[i]))
    }

    private close(mark: { id: number; number: number; ahead: number }): void {
        mark.ahead = 0
        for (const copy of this.copies)
            if (copy.kind === kindUpload && copy.id === mark.id)
                if (copy.frame.readUInt32LE(8) > mark.number) mark.ahead++
                else mark.number = Math.max(mark.number, copy.number)
    }

    done(kind: number, id: number, number: number): void {
        const of = this.copies.filter(c => c.kind === kind && c.id === id)
        // an upload's copies end in order; one heard again after its mark gave way to others stands behind later ones, and waits for them
        const stop = kind === kindUpload ? of.findIndex(c => c.number > number) : -1
        const ended = stop < 0 ? of.filter(c => c.number <= number) : of.slice(0, stop)
        this.copies = this.copies.filter(c => !ended.includes(c))
        const found = this.use(kind, id)
        const isNew = kind === kindUpload && found.number === 0
        if (found.number >= number) return
        found.number = number
        if (found.ahead || isNew) this.close(found)
    }
}

describe("journal: against a naive one", function () {
    this.timeout(120_000)
    it("thousands of seeded histories: the same copies, in the same order, and the same marks [R8] [R12]", () => {
        useTestPlatform()
        let operations = 0
        for (let seed = 0; seed < (isFull ? 2_000 : 100); seed++) {
            const random = new Random(`journal/${seed}`)
            const journal = new Journal()
            const naive = new NaiveJournal()
            const ids = 2 + random.int(10)
            for (let n = 0; n < 300; n++) {
                operations++
                const dice = random.int(100)
                const id = 1 + random.int(ids)
                const known = naive.marks.find(m => m.id === uploadId(1, id) && m.kind === kindUpload)?.number ?? 0
                if (dice < 45) {
                    const offset = random.chance(0.8) ? known : random.int(3_000)
                    const frame = block(1, id, offset, 1 + random.int(224))
                    recordCommand(journal, write, frame)
                    naive.record(write, frame, journal.nowMs)
                } else if (dice < 65) {
                    const last = naive.marks.find(m => m.id === id && m.kind === kindSession)?.number ?? 0
                    const frame = request(1, id, random.chance(0.8) ? last + 1 : random.int(20), random.int(220))
                    recordCommand(journal, ask, frame)
                    naive.record(ask, frame, journal.nowMs)
                } else if (dice < 70) {
                    const frame = random.chance(0.5)
                        ? block(1, id, known, 1 + random.int(224))
                        : request(1, id, 1 + random.int(50))
                    frame[random.int(frame.length)] ^= 1 << random.int(8)
                    // a full memory may look for stale copies before it sees the damage; so must the naive one
                    if (naive.copies.length < copiesMax) recordCommand(journal, random.chance(0.5) ? write : ask, frame)
                } else if (dice < 80) {
                    const sequence = random.int(30)
                    recordDone(journal, kindSession, id, sequence)
                    naive.done(kindSession, id, sequence)
                } else if (dice < 92) {
                    const end = random.chance(0.7) ? Math.max(known - random.int(600), 0) : random.int(4_000)
                    recordDone(journal, kindUpload, uploadId(1, id), end)
                    naive.done(kindUpload, uploadId(1, id), end)
                } else if (dice < 96) {
                    const slot = oldestCopy(journal)
                    assert.equal(slot < 0, naive.copies.length === 0)
                    if (slot >= 0) {
                        endCopy(journal, slot)
                        naive.copies.shift()
                    }
                } else if (dice < 99) journal.nowMs += random.int(20_000)
                else if (random.chance(0.2)) {
                    clearJournal(journal)
                    naive.copies = []
                    naive.marks = []
                }
                assert.deepEqual(
                    copies(journal).map(frame => frame.toString("hex")),
                    naive.copies.map(copy => copy.frame.toString("hex")),
                    `seed ${seed}, operation ${n}`,
                )
                for (const { kind, id: marked, number } of naive.marks)
                    assert.equal(
                        mark(journal, kind, marked)?.number,
                        number,
                        `seed ${seed}, operation ${n}: mark ${kind} ${marked}`,
                    )
                assert.equal(journal.markKinds.filter(kind => kind).length, naive.marks.length)
            }
        }
        console.log(`      ${operations} operations`)
    })
})
