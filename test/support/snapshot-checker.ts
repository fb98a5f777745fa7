// What a snapshot holds, read from the chips by docs/FORMAT.md alone: every page of it must be good and in a segment it pins.

import assert from "node:assert/strict"

export interface SnapshotRecord {
    number: number
    commit: number
    tree: number
    height: number
    mtime: number
    pages: number
    pins: Buffer
    name: string
}

export function snapshotRecord(number: number, value: Buffer): SnapshotRecord {
    const pinBytes = value[9]
    assert.ok(value.length > 20 + pinBytes, `snapshot ${number}: too short`)
    assert.ok(number >= 1 && number <= 255, `snapshot ${number}`)
    return {
        number,
        commit: value.readUInt32LE(0),
        tree: value.readUInt32LE(4),
        height: value[8],
        mtime: value.readUInt32LE(12),
        pages: value.readUInt32LE(16),
        pins: Buffer.from(value.subarray(20, 20 + pinBytes)),
        name: value.toString("utf8", 20 + pinBytes),
    }
}

/** The snapshot's files and directories by path. `read` throws for a page that is not good. */
export function readSnapshot(
    snapshot: SnapshotRecord,
    segmentPages: number,
    read: (page: number) => Buffer,
): Map<string, Buffer | "directory"> {
    const pinned = (page: number): Buffer => {
        const segment = Math.floor(page / segmentPages)
        assert.ok(
            snapshot.pins[segment >> 3] & (1 << (segment & 7)),
            `${snapshot.name}: segment ${segment} is not pinned`,
        )
        return read(page)
    }
    const items: { object: number; sub: number; value: Buffer }[] = []
    const walk = (page: number, level: number) => {
        const node = pinned(page)
        assert.equal(node[4], 2, `${snapshot.name}: page ${page} is no node`)
        assert.equal(node[5], level, `${snapshot.name}: level of ${page}`)
        const body = node.subarray(20)
        for (let i = 0; i < body[0]; i++) {
            const at = 2 + 10 * i
            const value = body.subarray(body[at + 8], body[at + 8] + body[at + 9])
            if (level) walk(value.readUInt32LE(0), level - 1)
            else items.push({ object: body.readUInt32LE(at), sub: body.readUInt32LE(at + 4), value })
        }
    }
    if (snapshot.tree !== 0xffffffff) walk(snapshot.tree, snapshot.height)
    const content = (object: number): Buffer => {
        const blocks: Buffer[] = []
        for (const item of items) {
            if (item.object !== object || item.sub === 0) continue
            for (let i = 0; i < item.value.readUInt16LE(4); i++) {
                const page = pinned(item.value.readUInt32LE(0) + i)
                assert.equal(page[4], 1, `${snapshot.name}: block of ${object}`)
                assert.equal(page.readUInt32LE(12), object, `${snapshot.name}: owner of a block`)
                assert.equal(page.readUInt32LE(16), item.sub - 1 + i, `${snapshot.name}: number of a block`)
                blocks.push(page.subarray(20, 20 + page[5]))
            }
        }
        return Buffer.concat(blocks)
    }
    const found = new Map<string, Buffer | "directory">()
    const list = (directory: number, path: string) => {
        for (const item of items) {
            if (item.object !== directory || item.sub < 256) continue
            const object = item.value.readUInt32LE(0)
            const name = path + item.value.toString("utf8", 5)
            if (item.value[4] === 2) {
                found.set(name, "directory")
                list(object, name + "/")
            } else found.set(name, content(object))
        }
    }
    list(1, "")
    return found
}

/** Verifies the record of an object's properties. */
export function propertiesOf(value: Buffer): Map<string, string> {
    const found = new Map<string, string>()
    assert.ok(value.length >= 1 && value.length <= 200, "bytes of a record of properties")
    let at = 0
    while (at < value.length) {
        const name = value.toString("latin1", at + 1, at + 1 + value[at])
        at += 1 + value[at]
        const text = value.toString("latin1", at + 1, at + 1 + value[at])
        assert.ok(name.length > 0 && text.length > 0 && text.length === value[at], `property ${name}`)
        assert.ok(!found.has(name), `property ${name} is there twice`)
        at += 1 + value[at]
        found.set(name, text)
    }
    return found
}
