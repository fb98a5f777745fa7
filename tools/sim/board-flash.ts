// The flash of a board that holds its program and settings. The VM keeps it in memory and hands it over whole; what changed since is
// what a board erases and programs, and the time that takes, in which it does nothing else. A power cut leaves it between the two.

import type { ProcessorKind } from "./processor"
import type { Random } from "./random"

// W25Q16JV (the Pico's) §9.6, typical: tSE and tPP
const sectorBytes = 4096
const sectorEraseNs = 45_000_000
const pageBytes = 256
const pageProgramNs = 400_000

interface Step {
    at: number
    bytes: number
    isErase: boolean
    ns: number
}

/** Steps from one content to the next, in the order in which a board takes them. */
function stepsBetween(before: Uint8Array, after: Uint8Array): Step[] {
    const erases: Step[] = []
    const programs: Step[] = []
    for (let sector = 0; sector < before.length; sector += sectorBytes) {
        const end = Math.min(sector + sectorBytes, before.length)
        let isErased = false
        for (let at = sector; at < end && !isErased; at++) isErased = (after[at] & ~before[at]) !== 0
        if (isErased) erases.push({ at: sector, bytes: end - sector, isErase: true, ns: sectorEraseNs })
        for (let page = sector; page < end; page += pageBytes) {
            let isProgrammed = false
            for (let at = page; at < page + pageBytes && !isProgrammed; at++)
                isProgrammed = isErased ? after[at] !== 0xff : after[at] !== before[at]
            if (isProgrammed) programs.push({ at: page, bytes: pageBytes, isErase: false, ns: pageProgramNs })
        }
    }
    return [...erases, ...programs]
}

export class BoardFlash {
    /** What the next start of the board finds. */
    content: Uint8Array
    private under: { before: Uint8Array; steps: Step[]; fromNs: number } | undefined
    private readonly takesTime: boolean

    constructor(
        content: Uint8Array,
        cpu: ProcessorKind,
        private readonly random: Random,
    ) {
        this.content = content
        this.takesTime = cpu !== "ideal"
    }

    /** The board writes, from `fromNs` on. Returns how long that takes. */
    save(bytes: Uint8Array, fromNs: number): number {
        const before = this.content
        this.content = before.slice()
        this.content.set(bytes)
        const steps = stepsBetween(before, this.content)
        this.under = { before, steps, fromNs }
        return this.takesTime ? steps.reduce((sum, { ns }) => sum + ns, 0) : 0
    }

    /** Power or reset took the board, perhaps in the middle of what it writes. */
    cut(nowNs: number): void {
        const { under } = this
        this.under = undefined
        if (!under || !this.takesTime) return
        const torn = under.before.slice()
        let atNs = under.fromNs
        for (const { at, bytes, isErase, ns } of under.steps) {
            const from = torn.subarray(at, at + bytes)
            const to = isErase ? new Uint8Array(bytes).fill(0xff) : this.content.subarray(at, at + bytes)
            if (atNs + ns > nowNs) {
                // the cells that were under way are anywhere between
                if (atNs < nowNs) {
                    const noise = this.random.bytes(bytes)
                    from.forEach((byte, i) => (from[i] = isErase ? byte | noise[i] : byte & (to[i] | noise[i])))
                }
                this.content = torn
                return
            }
            from.set(to)
            atNs += ns
        }
    }
}
