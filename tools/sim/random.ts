// The only source of chance in a simulation. A seed fixes every number that follows, and `fork` gives a stream of its own to
// each part, which does not move when another part draws more or less.

/** sfc32 (Chris Doty-Humphrey, PractRand): 128 bits of state, passes PractRand; seeded here from text through FNV-1a. */
export class Random {
    private a: number
    private b: number
    private c: number
    private counter = 1

    constructor(readonly seed: string | number) {
        this.a = fnv1a(`a/${seed}`)
        this.b = fnv1a(`b/${seed}`)
        this.c = fnv1a(`c/${seed}`)
        for (let i = 0; i < 16; i++) this.uint32()
    }

    /** A stream that depends on this one's seed and the name only, not on what was drawn. */
    fork(name: string): Random {
        return new Random(`${this.seed}/${name}`)
    }

    uint32(): number {
        const sum = (this.a + this.b + this.counter) | 0
        this.counter = (this.counter + 1) | 0
        this.a = this.b ^ (this.b >>> 9)
        this.b = (this.c + (this.c << 3)) | 0
        this.c = (((this.c << 21) | (this.c >>> 11)) + sum) | 0
        return sum >>> 0
    }

    /** 0 <= result < 1, with 53 bits. */
    float(): number {
        return ((this.uint32() >>> 5) * 67108864 + (this.uint32() >>> 6)) / 9007199254740992
    }

    /** 0 <= result < n. */
    int(n: number): number {
        return Math.floor(this.float() * n)
    }

    /** Draws nothing when the answer is certain, so that a fault switched off costs no randomness. */
    chance(p: number): boolean {
        return p > 0 && (p >= 1 || this.float() < p)
    }

    bytes(n: number): Uint8Array {
        const out = new Uint8Array(n)
        for (let i = 0; i < n; i++) out[i] = this.uint32() >>> 24
        return out
    }
}

function fnv1a(text: string): number {
    let hash = 0x811c9dc5
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
    return hash
}
