// What the array needs of its elements, whatever they are: raw NOR chips or SD cards.
//
// Promises, kept by every bank:
// - what `settle` returned for is durable, and a line that was open meanwhile is an error (not for copies, nor labels); a power cut may leave a page that was not settled, or pages being erased, with any bytes at
//   all, and never touches another page;
// - every wait is bounded. A slot whose element goes silent, stays busy beyond its bound or refuses to write leaves `alive`, and is not
//   asked again before the next `identify`.
// Used by one fiber at a time: the banks of both arrays share their buffers, as they share the wires.

/** The wires to the elements: bit n of a mask is the select of slot n. */
export interface ElementPort {
    /** One transfer, the selects of `mask` low from its start to its end. */
    transfer(mask: number, tx: Buffer, rx: Buffer): Promise<void>
}

/** The same where a command takes several exchanges, as with cards. */
export interface CardPort {
    /** Sets the selects of `mask` low, or high again. */
    select(mask: number): void
    deselect(mask: number): void
    /** One transfer with the selects as they are. */
    exchange(tx: Buffer, rx: Buffer): Promise<void>
    setClock(hz: number): void
}

export interface ElementBank {
    /** Slots that answer, as bits; one that fails leaves it. */
    alive: number
    /** This node controls them no more: who they are is not asked, which throws, until a mount begins. */
    isLetGo: boolean
    /** Pages of each slot's element; 0 = nothing there. */
    pages: number[]
    /** Of NOR the JEDEC id, manufacturer first; of a card its manufacturer << 16 | OEM. */
    ids: number[]
    /** From page to page in the raw element. */
    strideBytes: number
    /** Elements, 1 or none, that may lack a page of one number without its being lost. */
    missesMax: number
    /** Elements, as bits, that are written to and answered when that was decided. */
    inUse: number
    /** Asks slots 0..slots-1 who they are, and waits for what a former controller left running. @returns `alive` */
    identify(slots: number): Promise<number>
    /** Reads the first `buffer.length - 4` bytes of a page to offset 4 of `buffer`, which is neither of the bank's own; its first four bytes are overwritten. */
    read(slot: number, page: number, buffer: Buffer): Promise<void>
    /** The last page behind `page` and before `end` whose head is not blank, or `page`. `head`, of `pageHeadBytes`, is for its use. */
    lastWritten(slot: number, page: number, end: number, head: Buffer): Promise<number>
    /**
     * Begins to program the page in `buffer` (from offset 4) into every element of `mask`; `settle` waits for its end.
     * @param isCopy others hold what it says, and whoever writes it sees to it that it is there
     */
    program(mask: number, page: number, buffer: Buffer, isCopy?: boolean): Promise<void>
    /** Erases whole segments of every element of `mask`. It may still run when this returns. */
    erase(mask: number, firstPage: number, pages: number): Promise<void>
    /** Waits until no element of `mask` is busy; -1 is all. */
    settle(mask: number): Promise<void>
}

/** What a board has for one array; whoever makes the bank knows what that is. */
export type Wires = unknown

/** Makes the bank behind some wires: the image has a driver for one kind of element. The page buffers are shared by both banks. */
export let bankOf: (wires: Wires, pageOut: Buffer, pageIn: Buffer) => ElementBank

export function useBanks(make: (wires: Wires, pageOut: Buffer, pageIn: Buffer) => ElementBank): void {
    bankOf = make
}

/** Bytes of a page buffer: four for a command and its address, then the page. */
export const pageBufferBytes = 260
export const elementPageBytes = 256
/** The same with a page's first 20 bytes only, its header (store/page.ts). */
export const pageHeadBytes = 24
/** Selects of one array on the board. */
export const slotsMax = 6
/** The clock until it is known what is there: a card takes no more before it is initialised (SD Physical Layer, 7.2.1). */
export const probeHz = 400000
