/// The Hilbert curve: a way through a square on which what is near stays near.
///
/// Each quarter of the way fills a quarter of the square, and so on inside it.
///
///     side 2: 0 3      side 4:  0  1 14 15
///             1 2               3  2 13 12
///                               4  7  8 11
///                               5  6  9 10
enum HilbertCurve {
    /// Where step `index` lies in a square of `side` columns, a power of two.  The way begins in
    /// the upper left corner and ends in the upper right one.
    static func place(of index: Int, side: Int) -> (column: Int, row: Int) {
        var (column, row) = (0, 0)
        var (steps, quarter) = (index, 1)
        while quarter < side {
            let right = steps / 2 & 1
            let below = (steps ^ right) & 1
            // The way through an upper quarter is turned, that it may end where the next begins.
            if below == 0 {
                if right == 1 { (column, row) = (quarter - 1 - column, quarter - 1 - row) }
                (column, row) = (row, column)
            }
            column += quarter * right
            row += quarter * below
            steps /= 4
            quarter *= 2
        }
        return (column, row)
    }
}
