// What a board sees of the world outside its pins. A cabinet implements it: chips, switches and lines hang on it.

export type Level = 0 | 1
export type Pull = "up" | "down" | undefined

export interface SpiSetup {
    miso: number
    mosi: number
    sck: number
    /** The clock that the divider gives, not the one asked for. */
    hz: number
    mode: number
}

export interface BoardPort {
    /**
     * The board changed how it drives a pin: 0, 1 or undefined = high impedance. `pull` is the weak pull of an input.
     * Called with the board's own time, which may run a little ahead of the queue.
     */
    drive(gpio: number, level: Level | undefined, pull: Pull, atNs: number): void
    sense(gpio: number, atNs: number): Level
    /**
     * One full-duplex SPI transfer from startNs to endNs; returns the bytes received. It is called when the board starts the
     * transfer; the board completes it at endNs. `tx` is the caller's memory: copy what is kept.
     */
    transfer(spi: SpiSetup, tx: Uint8Array, startNs: number, endNs: number): Uint8Array
    /** Power or reset took the board at atNs, in the middle of the transfer it had started. */
    aborted(atNs: number): void
}
