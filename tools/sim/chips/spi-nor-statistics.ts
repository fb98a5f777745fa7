// What a chip counted since the simulator started; figures only go up.

/** Why a chip did not do a command. */
export type Ignored = "short" | "busy" | "notEnabled" | "asleep" | "suspended" | "unknown"

export interface SpiNorStatistics {
    /** By name of the command, as in `opcode` */
    commands: Record<string, number>
    ignored: Record<Ignored, number>
    programs: number
    bytesProgrammed: number
    bytesRead: number
    erases: { erase4k: number; erase32k: number; erase64k: number; eraseChip: number }
    busyNs: number
    tornPrograms: number
    tornErases: number
    /** Programs into a sector whose last erase was cut: it may look erased, and not hold */
    programsOnTornSector: number
    operationsOnBadSector: number
    /** Reads that came back wrong by `faults.lies`, operations that did nothing by `faults.dropsWrites` */
    lies: number
    dropped: number
}

export function newStatistics(): SpiNorStatistics {
    return {
        commands: {},
        ignored: { short: 0, busy: 0, notEnabled: 0, asleep: 0, suspended: 0, unknown: 0 },
        programs: 0,
        bytesProgrammed: 0,
        bytesRead: 0,
        erases: { erase4k: 0, erase32k: 0, erase64k: 0, eraseChip: 0 },
        busyNs: 0,
        tornPrograms: 0,
        tornErases: 0,
        programsOnTornSector: 0,
        operationsOnBadSector: 0,
        lies: 0,
        dropped: 0,
    }
}
