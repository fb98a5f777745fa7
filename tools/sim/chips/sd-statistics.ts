// What a card counted since the simulator started; figures only go up.

/**
 * Why a card did not do a command. unwoken: before its 74 clocks, or anything but CMD0 in SD mode; crc: wrong CRC7; short: select rose
 * within it; busy; unready: not allowed in idle state; illegal: not known, or not now; parameter: out of range.
 */
export type SdIgnored = "unwoken" | "crc" | "short" | "busy" | "unready" | "illegal" | "parameter"

export interface SdStatistics {
    /** As CMD17, ACMD41 */
    commands: Record<string, number>
    ignored: Record<SdIgnored, number>
    /** Blocks taken, by the CRC and otherwise right */
    programs: number
    bytesProgrammed: number
    bytesRead: number
    erases: number
    busyNs: number
    /** Blocks sent with a wrong CRC16 */
    wrongData: number
    writeErrors: number
    readErrors: number
    /** Blocks that a cut met before they had settled, and those of them left neither old nor new */
    cutWrites: number
    tornBlocks: number
    tornNeighbours: number
    tornErases: number
    /** Data blocks in whose middle select rose */
    abandoned: number
    /** Reads that came back wrong by `faults.lies` */
    lies: number
}

export function newSdStatistics(): SdStatistics {
    return {
        commands: {},
        ignored: { unwoken: 0, crc: 0, short: 0, busy: 0, unready: 0, illegal: 0, parameter: 0 },
        programs: 0,
        bytesProgrammed: 0,
        bytesRead: 0,
        erases: 0,
        busyNs: 0,
        wrongData: 0,
        writeErrors: 0,
        readErrors: 0,
        cutWrites: 0,
        tornBlocks: 0,
        tornNeighbours: 0,
        tornErases: 0,
        abandoned: 0,
        lies: 0,
    }
}

/** Before every transfer, so not by structuredClone, which takes longer than the rest of it. */
export function copySdStatistics(statistics: SdStatistics): SdStatistics {
    return { ...statistics, commands: { ...statistics.commands }, ignored: { ...statistics.ignored } }
}
