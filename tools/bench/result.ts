// A figure of the bench, and what it is held against.

export interface Figure {
    name: string
    value: number
    /** The value with the array's redundancy divided out; then it is this that the limit is about. */
    beyondRedundancy?: number
    unit: string
    /** What the platform allows at best, or what was asked for, in the same unit. */
    limit: number
    /** What that limit is. */
    binds: string
}

export interface Result extends Figure {
    array: string
    cpu: string
    /** How near the value is to the limit, 1 = at it. */
    ratio: number
}

/** More is better. */
function isRate(unit: string): boolean {
    return unit.includes("/s")
}

function round(value: number): number {
    return Math.round(value * 100) / 100
}

export function resultOf(figure: Figure, array: string, cpu: string): Result {
    const { value, beyondRedundancy, limit, unit } = figure
    const held = beyondRedundancy ?? value
    return {
        ...figure,
        array,
        cpu,
        value: round(value),
        ...(beyondRedundancy === undefined ? {} : { beyondRedundancy: round(beyondRedundancy) }),
        limit: round(limit),
        ratio: round(isRate(unit) ? held / limit : limit / held),
    }
}

export function percentile(values: readonly number[], percent: number): number {
    const sorted = [...values].sort((a, b) => a - b)
    return sorted[Math.min(sorted.length - 1, Math.ceil((percent / 100) * sorted.length) - 1)]
}
