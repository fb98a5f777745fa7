// Rewrites a WebAssembly module: code put before or in place of named functions, or after a byte pattern that occurs once in one.
// No index shifts, so everything left alone stays as it was. Anything unexpected (a name missing, a pattern not unique)
// stops it: a half-patched module is never returned.

export type Code = readonly number[]

export interface Patch {
    /** Runs before the function's own code. */
    entry: Record<string, Code>
    /** Replaces the function's code; its parameters are locals 0, 1, ... */
    body: Record<string, Code>
    /** `pattern` in hex, once in the function's code; the code goes right behind it. */
    after: { fn: string; pattern: string; code: Code }[]
    /** Functions to export under their own names. */
    exports: string[]
    /** Pages of memory to add behind the module's own. */
    extraPages: number
}

const section = { custom: 0, import: 2, memory: 5, export: 7, code: 10 }
const headerBytes = 8
const opEnd = 0x0b

interface Section {
    id: number
    start: number
    end: number
}

class Reader {
    constructor(
        readonly bytes: Uint8Array,
        public p: number,
    ) {}

    byte(): number {
        return this.bytes[this.p++]
    }

    unsigned(): number {
        let result = 0
        for (let shift = 0; shift < 35; shift += 7) {
            const b = this.byte()
            result |= (b & 127) << shift
            if ((b & 128) === 0) return result >>> 0
        }
        throw new Error("wasm: number too long")
    }

    text(): string {
        const bytes = this.unsigned()
        this.p += bytes
        return Buffer.from(this.bytes.subarray(this.p - bytes, this.p)).toString("utf8")
    }
}

export function unsigned(n: number): number[] {
    const out: number[] = []
    do {
        const low = n & 127
        n >>>= 7
        out.push(n ? low | 128 : low)
    } while (n)
    return out
}

export function signed(n: number): number[] {
    const out: number[] = []
    for (;;) {
        const low = n & 127
        n >>= 7
        const done = (n === 0 && !(low & 64)) || (n === -1 && (low & 64) !== 0)
        out.push(done ? low : low | 128)
        if (done) return out
    }
}

export class WasmFile {
    private readonly sections: Section[] = []
    private readonly names = new Map<string, number>()
    private readonly importedFunctions: number

    constructor(readonly bytes: Uint8Array) {
        const r = new Reader(bytes, headerBytes)
        while (r.p < bytes.length) {
            const id = r.byte()
            const length = r.unsigned()
            this.sections.push({ id, start: r.p, end: r.p + length })
            r.p += length
        }
        this.importedFunctions = this.readImports()
        for (const s of this.sections) if (s.id === section.custom) this.readNames(s)
    }

    indexOf(fn: string): number {
        const index = this.names.get(fn)
        if (index === undefined) throw new Error(`wasm: no function ${fn}`)
        return index
    }

    memoryPages(): number {
        const r = new Reader(this.bytes, this.find(section.memory).start)
        if (r.unsigned() !== 1) throw new Error("wasm: one memory expected")
        r.byte()
        return r.unsigned()
    }

    apply(patch: Patch): Uint8Array {
        const parts: Uint8Array[] = [this.bytes.subarray(0, headerBytes)]
        for (const s of this.sections) {
            const content = this.rewrite(s, patch)
            parts.push(Uint8Array.from([s.id, ...unsigned(content.length)]), content)
        }
        return Buffer.concat(parts)
    }

    private find(id: number): Section {
        const found = this.sections.find(s => s.id === id)
        if (!found) throw new Error(`wasm: no section ${id}`)
        return found
    }

    private readImports(): number {
        const r = new Reader(this.bytes, this.find(section.import).start)
        let functions = 0
        for (let count = r.unsigned(); count > 0; count--) {
            r.text()
            r.text()
            if (r.byte() !== 0) throw new Error("wasm: only functions are expected among the imports")
            r.unsigned()
            functions++
        }
        return functions
    }

    private readNames(s: Section): void {
        const r = new Reader(this.bytes, s.start)
        if (r.text() !== "name") return
        while (r.p < s.end) {
            const kind = r.byte()
            const end = r.unsigned() + r.p
            if (kind === 1)
                for (let count = r.unsigned(); count > 0; count--) {
                    const index = r.unsigned()
                    this.names.set(r.text(), index)
                }
            r.p = end
        }
    }

    private rewrite(s: Section, patch: Patch): Uint8Array {
        if (s.id === section.memory) {
            const pages = this.memoryPages() + patch.extraPages
            return Uint8Array.from([1, 1, ...unsigned(pages), ...unsigned(pages)])
        }
        if (s.id === section.export) return this.rewriteExports(s, patch)
        if (s.id === section.code) return this.rewriteCode(s, patch)
        return this.bytes.subarray(s.start, s.end)
    }

    private rewriteExports(s: Section, patch: Patch): Uint8Array {
        const r = new Reader(this.bytes, s.start)
        const count = r.unsigned()
        const added = patch.exports.flatMap(fn => {
            const text = Buffer.from(fn, "utf8")
            return [...unsigned(text.length), ...text, 0, ...unsigned(this.indexOf(fn))]
        })
        const head = unsigned(count + patch.exports.length)
        return Buffer.concat([Uint8Array.from(head), this.bytes.subarray(r.p, s.end), Uint8Array.from(added)])
    }

    private rewriteCode(s: Section, patch: Patch): Uint8Array {
        const entry = new Map(Object.entries(patch.entry).map(([fn, code]) => [this.indexOf(fn), code]))
        const body = new Map(Object.entries(patch.body).map(([fn, code]) => [this.indexOf(fn), code]))
        const r = new Reader(this.bytes, s.start)
        const count = r.unsigned()
        const parts: Uint8Array[] = [Uint8Array.from(unsigned(count))]
        for (let i = 0; i < count; i++) {
            const index = this.importedFunctions + i
            const length = r.unsigned()
            const whole = this.bytes.subarray(r.p, r.p + length)
            const after = patch.after.filter(a => this.indexOf(a.fn) === index)
            const code = rewriteFunction(whole, entry.get(index), body.get(index), after)
            parts.push(Uint8Array.from(unsigned(code.length)), code)
            r.p += length
        }
        return Buffer.concat(parts)
    }
}

function rewriteFunction(
    whole: Uint8Array,
    entry: Code | undefined,
    body: Code | undefined,
    after: Patch["after"],
): Uint8Array {
    if (body) return Uint8Array.from([0, ...body, opEnd])
    if (!entry && after.length === 0) return whole
    const r = new Reader(whole, 0)
    for (let groups = r.unsigned(); groups > 0; groups--) {
        r.unsigned()
        r.byte()
    }
    let code = Buffer.from(whole.subarray(r.p))
    for (const a of after) code = insertAfter(code, a)
    return Buffer.concat([whole.subarray(0, r.p), Uint8Array.from(entry ?? []), code])
}

function insertAfter(code: Buffer, a: Patch["after"][number]): Buffer<ArrayBuffer> {
    const pattern = Buffer.from(a.pattern.replaceAll(" ", ""), "hex")
    const at = code.indexOf(pattern)
    if (at < 0 || code.indexOf(pattern, at + 1) >= 0) throw new Error(`wasm: pattern not once in ${a.fn}: ${a.pattern}`)
    const end = at + pattern.length
    return Buffer.concat([code.subarray(0, end), Uint8Array.from(a.code), code.subarray(end)])
}
