// One board as its wires see it. Kept true: a board that is off or in reset drives nothing, whatever it drove before.

import type { Pull } from "../board-port"
import { Line, type Level } from "./line"
import type { PinName } from "./pins"

/** off: no power; reset: powered, held by its RUN pin; run: the program may run */
export type NodeState = "off" | "reset" | "run"

export class CabinetNode {
    readonly own: Line
    readonly hold: Line
    state: NodeState = "off"
    /** The end of the last transfer: a death before it takes the board in the middle of it */
    transferEndNs = 0
    private readonly pulls = new Map<number, Pull>()
    private readonly levels = new Map<PinName, Level>()

    constructor(
        readonly name: string,
        /** The number its straps are set to, a bit each: NODE, PAIR0, PAIR1 */
        readonly straps: number,
    ) {
        this.own = new Line(`${name}.OWN`, 0)
        this.hold = new Line(`${name}.HOLD`, 0)
    }

    get hasPower(): boolean {
        return this.state !== "off"
    }

    get runs(): boolean {
        return this.state === "run"
    }

    strap(bit: number): Level {
        return (this.straps >> bit) & 1 ? 1 : 0
    }

    /** The level the node drives on the pin; undefined = it does not drive it. */
    driven(pin: PinName): Level | undefined {
        return this.levels.get(pin)
    }

    drive(pin: PinName, level: Level | undefined): void {
        if (level === undefined) this.levels.delete(pin)
        else this.levels.set(pin, level)
    }

    /** The pin's own weak pull. */
    pull(gpio: number, pull: Pull): void {
        if (pull === undefined) this.pulls.delete(gpio)
        else this.pulls.set(gpio, pull)
    }

    pulled(gpio: number): Pull {
        return this.pulls.get(gpio)
    }

    release(): void {
        this.levels.clear()
        this.pulls.clear()
    }
}
