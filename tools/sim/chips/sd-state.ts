// What a card remembers between two bytes of the bus, apart from its cells: plain data, so that a transfer whose board dies in its middle
// can be gone through again as far as it came.

export interface SdSegment {
    kind: "response" | "data"
    /** Not before this time; the line is high until then */
    fromNs: number
    bytes: Uint8Array
    at: number
}

export interface SdState {
    /** sd: since power-up, nothing but CMD0 is taken; idle: SPI mode, not initialised; ready */
    phase: "sd" | "idle" | "ready"
    checksCrc: boolean
    /** CMD8 said that the host knows of high capacity */
    hasCondition: boolean
    /** When the initialisation ends that the first ACMD41 began */
    readyNs: number | undefined
    isApp: boolean
    /** Second byte of R2; cleared by reading */
    errors: number
    command: number[]
    /** The command's first byte came while the card was busy */
    isUnheard: boolean
    /** After a wrong token nothing makes sense until select rises */
    isDeaf: boolean
    /** A block, or a token, is due from the host. Orphan: select rose since, so whoever selects now may not know */
    receive: { block: number; isMultiple: boolean; failure: number; isOrphan: boolean } | undefined
    data: { bytes: Uint8Array; count: number } | undefined
    /** A multiple read, and the next block of it; undefined = it met an error and waits for CMD12 */
    read: { block: number | undefined } | undefined
    erase: { first: number; last: number | undefined } | undefined
    wellWritten: number
    output: SdSegment[]
    /** Bytes clocked since the card last said something */
    quietBytes: number
    busyUntilNs: number
}

export function newSdState(): SdState {
    return {
        phase: "sd",
        checksCrc: false,
        hasCondition: false,
        readyNs: undefined,
        isApp: false,
        errors: 0,
        command: [],
        isUnheard: false,
        isDeaf: false,
        receive: undefined,
        data: undefined,
        read: undefined,
        erase: undefined,
        wellWritten: 0,
        output: [],
        quietBytes: 8,
        busyUntilNs: 0,
    }
}

export function copySdState(state: SdState): SdState {
    return {
        ...state,
        command: [...state.command],
        receive: state.receive && { ...state.receive },
        data: state.data && { bytes: state.data.bytes.slice(), count: state.data.count },
        read: state.read && { ...state.read },
        erase: state.erase && { ...state.erase },
        output: state.output.map(segment => ({ ...segment })),
    }
}
