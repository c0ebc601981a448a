"""What meters say: read from files and messages, merged into blocks, and judged; pure, it knows no store."""
