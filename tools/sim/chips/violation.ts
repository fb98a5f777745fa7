// A violation is a thing the hardware would suffer from, or that only a firmware bug can do; a run that sees one is wrong
// and stops. What a real chip silently ignores is not a violation: it is counted.

export class Violation extends Error {
    constructor(
        /** The chip or line, as `a.E0` or `a.OWN` */
        readonly where: string,
        readonly what: string,
        readonly atNs: number,
        readonly address?: number,
    ) {
        const at = address === undefined ? "" : ` at 0x${address.toString(16).padStart(6, "0")}`
        super(`${where}${at}, ${(atNs / 1e6).toFixed(6)} ms: ${what}`)
        this.name = "Violation"
    }
}

/** Gets every violation. One that returns lets the run go on with what the hardware would do. */
export type ReportViolation = (violation: Violation) => void

export const throwViolation: ReportViolation = violation => {
    throw violation
}
