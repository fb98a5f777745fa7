import assert from "node:assert/strict"
import * as crypto from "node:crypto"
import fc from "fast-check"
import { TwinfilerError } from "../../tools/bridge/error"
import * as protocol from "../../tools/bridge/protocol"
import type { Notice } from "../../tools/bridge/protocol"
import { sealCommand, sealNotice } from "../../tools/bridge/protocol/check"
import { seeded } from "./virtual-clock"

const u8 = fc.integer({ min: 0, max: 0xff })
const u16 = fc.integer({ min: 0, max: 0xffff })
const u32 = fc.integer({ min: 0, max: 0xffff_ffff })
const name = fc
    .string({ minLength: 1, maxLength: 60, unit: "grapheme" })
    .filter(text => Buffer.byteLength(text) <= protocol.nameBytesMax && Buffer.from(text).toString() === text)
const bytesOf = (min: number, max: number) =>
    fc.uint8Array({ minLength: min, maxLength: max }).map(data => Buffer.from(data))
const status = fc.constantFrom(...protocol.statusNames)

const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) => fc.record(model, { noNullPrototype: true })

const head = { volume: u8, epoch: u16, session: u32, sequence: u32 }
const requests = fc.oneof(
    record({ ...head, op: fc.constantFrom("bye" as const, "create" as const) }),
    record({ ...head, op: fc.constant("hello" as const), challenge: u32 }),
    record({ ...head, op: fc.constant("mkdir" as const), directory: u32, mtime: u32, name }),
    record({
        ...head,
        op: fc.constant("commit" as const),
        upload: u32,
        size: u32,
        mtime: u32,
        directory: u32,
        flags: fc.nat({ max: 1 }),
        name,
    }),
    record({ ...head, op: fc.constant("abort" as const), upload: u32 }),
    record({
        ...head,
        op: fc.constant("rename" as const),
        directory: u32,
        key: u32,
        object: u32,
        newDirectory: u32,
        mtime: u32,
        flags: fc.nat({ max: 1 }),
        name,
    }),
    record({ ...head, op: fc.constant("remove" as const), directory: u32, key: u32, object: u32, mtime: u32 }),
    record({ ...head, op: fc.constant("setattr" as const), object: u32, mtime: u32 }),
    record({ ...head, op: fc.constant("snapshotCreate" as const), mtime: u32, name }),
    record({ ...head, op: fc.constant("snapshotDelete" as const), number: u32 }),
    record({
        ...head,
        op: fc.constant("setProperty" as const),
        object: u32,
        mtime: u32,
        property: bytesOf(1, 100),
        value: bytesOf(0, 100),
    }),
    record({ ...head, op: fc.constant("rebuild" as const), position: u8, slot: u8, flags: u8 }),
    record({ ...head, op: fc.constant("scrub" as const), rowsPerSecond: u16 }),
)
const snapshot = fc.integer({ min: 1, max: 0xff })
const where = { volume: u8, epoch: u16, tag: u16 }
const queries = fc.oneof(
    record({ ...where, op: fc.constant("lookup" as const), directory: u32, path: name, snapshot }),
    record({ ...where, op: fc.constant("lookup" as const), directory: u32, path: name }),
    record({ ...where, op: fc.constantFrom("getattr" as const, "properties" as const), object: u32, snapshot }),
    record({ ...where, op: fc.constant("readdir" as const), directory: u32, cookie: u32, snapshot }),
    record({ ...where, op: fc.constantFrom("statfs" as const, "array" as const, "node" as const) }),
    record({ ...where, op: fc.constant("upload" as const), upload: u32 }),
    record({ ...where, op: fc.constant("snapshots" as const), cookie: u32 }),
    record({ ...where, op: fc.constant("memory" as const), offset: u32, bytes: u8 }),
    record({ ...where, op: fc.constant("elements" as const), clockHz: u32, slot: u8 }),
)
const marks = (minLength: number, maxLength: number) =>
    fc.array(record({ kind: u8, volume: u8, handle: u16, id: u32, number: u32 }), { minLength, maxLength })
const notices: fc.Arbitrary<Notice> = fc.oneof(
    record({
        kind: fc.constant("reply" as const),
        volume: u8,
        op: fc.constantFrom(...(Object.keys(protocol.requestOps) as protocol.RequestOp[])),
        status,
        flags: u8,
        session: u32,
        sequence: u32,
        value: u32,
        epoch: u32,
    }),
    record({
        kind: fc.constant("progress" as const),
        volume: u8,
        flags: u8,
        credit: u8,
        uploads: fc.array(record({ handle: u16, status, acknowledged: u32 }), { maxLength: 20 }),
    }),
    record({
        kind: fc.constant("data" as const),
        volume: u8,
        tag: u8,
        status,
        flags: u8,
        offset: u32,
        data: bytesOf(0, protocol.blockBytesMax),
    }),
    record({
        kind: fc.constant("answer" as const),
        volume: u8,
        op: fc.constantFrom(...(Object.keys(protocol.queryOps) as protocol.QueryOp[])),
        tag: u16,
        status,
        flags: u8,
        epoch: u16,
        payload: bytesOf(0, 224),
    }),
    record({
        kind: fc.constant("outcome" as const),
        verb: fc.constantFrom("takeover" as const, "giveback" as const),
        flags: u8,
        tag: u16,
        status,
        reason: u8,
        role: u8,
        reasons: fc.subarray([1, 2, 3, 4, 5, 6, 7, 8]),
    }),
    record({
        kind: fc.constant("beat" as const),
        protocol: u8,
        node: u8,
        role: u8,
        flags: u8,
        ownEpoch: u32,
        partnerEpoch: u32,
        uptimeMs: u32,
        device: bytesOf(8, 8).map(id => id.toString("hex")),
        serviceIndex: u8,
        mode: u8,
    }),
    record({
        kind: fc.constant("recorded" as const),
        node: u8,
        entries: marks(0, 19),
    }),
    record({
        kind: fc.constant("memory" as const),
        node: u8,
        entries: marks(1, 19),
        status: fc.constant("ok" as const),
        offset: fc.constant(0),
    }),
    record({ kind: fc.constant("memory" as const), node: u8, entries: marks(0, 0), status, offset: u32 }),
)

describe("frames", () => {
    it("golden bytes: they are docs/PROTOCOL.md's, field by field", () => {
        const request = protocol.encodeRequest(
            { volume: 1, epoch: 0x0203, session: 0x04050607, sequence: 8 },
            { op: "commit", upload: 9, size: 10, mtime: 11, directory: 12, flags: 1, name: "é" },
        )
        assert.equal(
            request.subarray(4).toString("hex"),
            "0185" + "0302" + "07060504" + "08000000" + "09000000" + "0a000000" + "0b000000" + "0c000000" + "c3a9",
        )
        const padded = Buffer.alloc(236)
        request.copy(padded, 4, 4)
        padded.writeUInt32LE(request.length, 0)
        const check = crypto.createHash("sha256").update(padded).digest().subarray(0, 4)
        assert.deepEqual(request.subarray(0, 4), check)
        const data = Buffer.from("abc")
        assert.equal(
            protocol.encodeWrite({ volume: 0, flags: 1, handle: 0x10203, offset: 4, data }).subarray(4).toString("hex"),
            "0001" + "0302" + "04000000" + "616263",
        )
        assert.equal(
            protocol
                .encodeRead({ volume: 1, tag: 2, epoch: 3, object: 4, offset: 5, length: 6 })
                .subarray(4)
                .toString("hex"),
            "0102" + "0300" + "04000000" + "05000000" + "06000000",
        )
        assert.equal(
            protocol
                .encodeQuery({ volume: 1, epoch: 2, tag: 3 }, { op: "lookup", directory: 4, path: "a/b" })
                .subarray(4)
                .toString("hex"),
            "0101" + "0200" + "0300" + "0000" + "04000000" + "612f62",
        )
        assert.equal(
            protocol
                .encodeQuery({ volume: 1, epoch: 2, tag: 3 }, { op: "properties", object: 4, snapshot: 5 })
                .subarray(4)
                .toString("hex"),
            "0109" + "0200" + "0300" + "0500" + "04000000",
        )
        assert.equal(
            protocol
                .encodeRead({ volume: 1, tag: 2, epoch: 3, object: 4, offset: 5, length: 65_536, snapshot: 7 })
                .subarray(4)
                .toString("hex"),
            "0102" + "0300" + "04000000" + "05000000" + "00000107",
        )
        const requestHead = { volume: 1, epoch: 0, session: 2, sequence: 3 }
        const argumentsOf = (body: protocol.RequestBody) =>
            protocol
                .encodeRequest(requestHead, body)
                .subarray(5)
                .toString("hex")
                .replace(/^(..).{20}/, "$1 ")
        assert.equal(argumentsOf({ op: "snapshotCreate", mtime: 4, name: "é" }), "0a 04000000" + "c3a9")
        assert.equal(argumentsOf({ op: "snapshotDelete", number: 4 }), "0b 04000000")
        assert.equal(
            argumentsOf({
                op: "setProperty",
                object: 4,
                mtime: 5,
                property: Buffer.from("ab"),
                value: Buffer.from("c"),
            }),
            "0c 04000000" + "05000000" + "02" + "6162" + "63",
        )
        assert.equal(argumentsOf({ op: "rebuild", position: 255, slot: 2, flags: 3 }), "0d ff020300")
        assert.equal(argumentsOf({ op: "scrub", rowsPerSecond: 0x102 }), "0e 0201")
        assert.equal(
            protocol.encodeControl({ verb: "giveback", flags: 1, tag: 0x0203 }).subarray(4).toString("hex"),
            "0201" + "0302",
        )
        const beat = protocol.encodeNotice({
            kind: "beat",
            protocol: 1,
            node: 0,
            role: 2,
            flags: 7,
            ownEpoch: 3,
            partnerEpoch: 4,
            uptimeMs: 5,
            device: "0102030405060708",
            serviceIndex: 9,
            mode: 1,
        })
        assert.equal(
            beat.subarray(4).toString("hex"),
            "01000207" + "03000000" + "04000000" + "05000000" + "0102030405060708" + "09" + "010000",
        )
        const zeroed = Buffer.concat([Buffer.alloc(4), beat.subarray(4)])
        assert.deepEqual(beat.subarray(0, 4), crypto.createHash("sha256").update(zeroed).digest().subarray(0, 4))
        assert.equal(protocol.noticeCode(1, protocol.noticeKinds.beat), 0x115)
        assert.deepEqual(protocol.noticeOf(0x115), { node: 1, kind: 5 })
        assert.equal(protocol.noticeOf(0x118), undefined)
    })

    it("whatever is encoded is decoded to the same", () => {
        fc.assert(
            fc.property(requests, request => {
                const { volume, epoch, session, sequence, ...body } = request
                const frame = protocol.encodeRequest({ volume, epoch, session, sequence }, body as protocol.RequestBody)
                const decoded = protocol.decodeCommand(protocol.commandCodes.request, frame)
                assert.deepEqual(decoded, { kind: "request", ...request })
            }),
            { seed: 1 },
        )
        fc.assert(
            fc.property(queries, query => {
                const { volume, epoch, tag, ...body } = query
                const frame = protocol.encodeQuery({ volume, epoch, tag }, body)
                const decoded = protocol.decodeCommand(protocol.commandCodes.query, frame)
                assert.deepEqual(decoded, { kind: "query", ...query })
            }),
            { seed: 6 },
        )
        fc.assert(
            fc.property(notices, notice => {
                const frame = protocol.encodeNotice(notice)
                assert.deepEqual(protocol.decodeNotice(protocol.noticeKinds[notice.kind], frame), notice)
            }),
            { seed: 2 },
        )
    })

    it("10,000 damaged frames are refused with the one error, never decoded [R33]", () => {
        const random = seeded(33)
        const samples = fc.sample(notices, { seed: 3, numRuns: 100 })
        for (let index = 0; index < 10_000; index++) {
            const notice = samples[index % samples.length]
            const frame = protocol.encodeNotice(notice)
            const damaged = damage(frame, random)
            const kind = protocol.noticeKinds[notice.kind]
            assert.throws(() => protocol.decodeNotice(kind, damaged), isBadFrame, damaged.toString("hex"))
        }
    })

    it("10,000 malicious frames with a right check throw nothing but the one error [R33]", () => {
        const random = seeded(34)
        const samples = fc.sample(notices, { seed: 4, numRuns: 100 })
        const commands = fc.sample(requests, { seed: 5, numRuns: 100 })
        for (let index = 0; index < 10_000; index++) {
            const notice = sealNotice(damage(protocol.encodeNotice(samples[index % samples.length]), random))
            onlyBadFrame(() => {
                const decoded = protocol.decodeNotice(random() % 7, notice)
                if (decoded.kind !== "answer") return
                for (const decode of payloadDecoders) onlyBadFrame(() => decode(decoded.payload))
            })
            const { volume, epoch, session, sequence, ...body } = commands[index % commands.length]
            const command = protocol.encodeRequest({ volume, epoch, session, sequence }, body as protocol.RequestBody)
            const damaged = damage(command, random).subarray(0, 236)
            onlyBadFrame(() => protocol.decodeCommand(0x80 + (random() % 6), sealCommand(damaged)))
        }
    })

    it("names that no volume can hold are refused before they are sent [R29] [R33]", () => {
        for (const bad of ["", ".", "..", "a/b", "a\0b", "x".repeat(201), "é".repeat(101), "\ud800"])
            assert.throws(() => protocol.checkName(bad), { code: "badName", exitCode: 2 })
        for (const good of ["a", "...", "é".repeat(100), "x".repeat(200), "-", " "])
            assert.equal(protocol.checkName(good), good)
        assert.deepEqual(protocol.splitPath("/a//./b/../c/"), ["a", "c"])
        assert.throws(() => protocol.splitPath("a/../../b"), { code: "badName" })
    })
})

const payloadDecoders = [
    protocol.decodeLookup,
    protocol.decodeDirectoryPage,
    protocol.decodeStatfs,
    protocol.decodeUpload,
    protocol.decodeNode,
    protocol.decodeFoundCount,
    protocol.decodeSnapshots,
    protocol.decodeProperties,
    protocol.decodeArray,
] as ((payload: Buffer) => unknown)[]

/** Flips bits, cuts, or extends; never returns the same frame. Leaves four bytes for the check. */
function damage(frame: Buffer, random: () => number): Buffer {
    const kind = random() % 4
    if (kind === 0 && frame.length > 5) return Buffer.from(frame.subarray(0, 4 + (random() % (frame.length - 5))))
    if (kind === 1) return Buffer.concat([frame, Buffer.alloc(1 + (random() % 8), random())])
    const damaged = Buffer.from(frame)
    const flips = 1 + (random() % 4)
    const places = new Set<number>()
    while (places.size < flips) places.add(random() % (8 * frame.length))
    for (const place of places) damaged[place >> 3] ^= 1 << (place & 7)
    return damaged
}

function isBadFrame(error: unknown): boolean {
    return error instanceof TwinfilerError && error.code === "badFrame"
}

function onlyBadFrame(run: () => void): void {
    try {
        run()
    } catch (error) {
        if (!isBadFrame(error)) throw error
    }
}
