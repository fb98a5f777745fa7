/** Where pages lie: pages, rows, positions, segments. From docs/FORMAT.md, "Elements, pages, rows, segments". */
import type { Label } from "./fields"

export class Geometry {
    /** Elements. */
    readonly n: number
    /** Pages in a row. */
    readonly D: number
    /** Rows in a segment. */
    readonly R: number
    /** Pages in a segment. */
    readonly S: number
    readonly rows: number
    readonly stride: number
    readonly segments: number
    /** Pages of the log are from S to below this. */
    readonly pageEnd: number
    readonly ringSectors: number

    constructor(label: Pick<Label, "elements" | "segmentRows" | "rows" | "stride">) {
        this.n = label.elements
        this.D = this.n === 2 ? 1 : this.n - 1
        this.R = label.segmentRows
        this.S = this.R * this.D
        this.rows = label.rows
        this.stride = label.stride
        this.segments = Math.floor(this.rows / this.R)
        this.pageEnd = this.segments * this.S
        this.ringSectors = Math.min(15, Math.floor(this.R / 16) - 1)
    }

    get isMirror(): boolean {
        return this.n === 2
    }

    isInLog(page: number): boolean {
        return page >= this.S && page < this.pageEnd
    }

    rowOf(page: number): number {
        return Math.floor(page / this.D)
    }

    segmentOf(page: number): number {
        return Math.floor(page / this.S)
    }

    indexOf(page: number): number {
        return page % this.S
    }

    /** Of a page of the log. In a mirror it is on every position; 0 stands for them. */
    positionOf(page: number): number {
        return this.isMirror ? 0 : (this.rowOf(page) + 1 + (page % this.D)) % this.n
    }

    /** The page of the log that a position holds in a row; undefined when it is the parity page. */
    pageAt(position: number, row: number): number | undefined {
        if (this.isMirror) return row
        const column = (position + this.n - ((row + 1) % this.n)) % this.n
        return column < this.D ? row * this.D + column : undefined
    }

    parityPositionOf(row: number): number {
        return row % this.n
    }
}
