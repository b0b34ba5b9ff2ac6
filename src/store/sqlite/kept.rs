//! Leaves, hashes of trees, checkpoints and trusted roots that prove the entries of findings.

use std::collections::{BTreeMap, HashSet, btree_map};
use std::ops::Range;

use sha2::{Digest as _, Sha256};
use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;
use tlog::{Hash, Head, Node, inclusion_path_of, leaf_hash, verify_inclusion};

use super::batch::insert_values;
use super::fail::Fail;
use super::kept_leaf::{self, Cut};
use super::value;
use crate::finding::{FindingId, NewFinding};
use crate::log::TreeId;
use crate::store::{Kept, KeptEntry};

/// Levels of nodes in one tile, and leaves of a full one: as in C2SP tlog-tiles.
const TILE_LEVELS: u8 = 8;

/// Bytes of one hash in a tile: its level, its place, the hash.
const ITEM_BYTES: usize = 2 + Hash::BYTES;

/// Checkpoints that are tried for one entry. The first one is right, unless it was of an entry that was proven alone.
const MAX_TRIED: i64 = 16;

/// A tile and a place in it.
fn place(node: Node) -> ((u8, u64), (u8, u8)) {
    let (tile_level, level) = (node.level / TILE_LEVELS, node.level % TILE_LEVELS);
    let width = TILE_LEVELS - level;
    // Below 2^8 by the mask.
    let within = u8::try_from(node.index & ((1 << width) - 1)).unwrap_or_default();
    ((tile_level, node.index >> width), (level, within))
}

type Tile = BTreeMap<(u8, u8), Hash>;

fn read_tile(bytes: &[u8]) -> Result<Tile, Fail> {
    let (items, []) = bytes.as_chunks::<ITEM_BYTES>() else {
        return Err(Fail::corrupt("a tile of hashes that is cut off"));
    };
    items
        .iter()
        .map(|[level, within, hash @ ..]| Ok(((*level, *within), Hash::new(*hash))))
        .collect()
}

fn tile_bytes(tile: &Tile) -> Vec<u8> {
    tile.iter()
        .flat_map(|((level, within), hash)| [*level, *within].into_iter().chain(*hash.as_bytes()))
        .collect()
}

/// Keeps hashes and checkpoints of a tree, and the trusted root.
pub(super) async fn keep(
    db: &mut SqliteConnection,
    tree: &TreeId,
    kept: &Kept,
) -> Result<(), Fail> {
    add_hashes(db, tree, &kept.hashes).await?;
    if kept.heads.is_empty() {
        return Ok(());
    }
    let trusted_root = match &kept.trusted_root {
        Some(body) => {
            let sha256 = Sha256::digest(body).to_vec();
            sqlx::query("INSERT INTO kept_trusted_root (sha256, body) VALUES ($1, $2) ON CONFLICT (sha256) DO NOTHING")
                .bind(&sha256)
                .bind(&**body)
                .execute(&mut *db)
                .await?;
            Some(sha256)
        }
        None => None,
    };
    for head in &kept.heads {
        sqlx::query(
            "INSERT INTO kept_checkpoint (origin, size, root, note, trusted_root) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (origin, size) DO NOTHING",
        )
        .bind(tree.as_str())
        .bind(value::integer(head.size)?)
        .bind(head.root.as_bytes().as_slice())
        .bind(&*head.note)
        .bind(trusted_root.as_deref())
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

async fn add_hashes(
    db: &mut SqliteConnection,
    tree: &TreeId,
    hashes: &[(Node, Hash)],
) -> Result<(), Fail> {
    let mut tiles: BTreeMap<(u8, u64), Tile> = BTreeMap::new();
    for (node, hash) in hashes {
        let (tile, place) = place(*node);
        tiles.entry(tile).or_default().insert(place, *hash);
    }
    for ((level, number), new) in tiles {
        let mut tile = tile(db, tree, level, number).await?;
        // What is read last counts: after a fault of the log, its leaves are read again.
        tile.extend(new);
        sqlx::query(
            "INSERT INTO kept_hashes (origin, level, tile, hashes) VALUES ($1, $2, $3, $4)
             ON CONFLICT (origin, level, tile) DO UPDATE SET hashes = excluded.hashes",
        )
        .bind(tree.as_str())
        .bind(i64::from(level))
        .bind(value::integer(number)?)
        .bind(tile_bytes(&tile))
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

async fn tile(
    db: &mut SqliteConnection,
    tree: &TreeId,
    level: u8,
    number: u64,
) -> Result<Tile, Fail> {
    let bytes: Option<Vec<u8>> = sqlx::query_scalar(
        "SELECT hashes FROM kept_hashes WHERE origin = $1 AND level = $2 AND tile = $3",
    )
    .bind(tree.as_str())
    .bind(i64::from(level))
    .bind(value::integer(number)?)
    .fetch_optional(&mut *db)
    .await?;
    bytes.map_or_else(|| Ok(Tile::new()), |bytes| read_tile(&bytes))
}

/// Keeps the leaves of new findings, once for each entry of a group.
pub(super) async fn keep_leaves(
    db: &mut SqliteConnection,
    new: &[(i64, &NewFinding)],
) -> Result<(), Fail> {
    // A log may hold one leaf twice: these are two entries.
    let mut known: HashSet<(&str, Option<u64>)> = HashSet::new();
    let mut rows: Vec<(i64, Cut<'_>)> = Vec::new();
    for (number, new) in new {
        let (Some(leaf), Some(hash)) = (&new.evidence.entry, &new.finding.leaf_hash) else {
            continue;
        };
        if known.insert((hash, new.finding.index)) {
            rows.push((
                *number,
                kept_leaf::cut(leaf, new.evidence.certificate.as_deref()),
            ));
        }
    }
    insert_values(
        db,
        "INSERT INTO kept_leaf (finding, before, form, after) ",
        " ON CONFLICT (finding) DO NOTHING",
        &rows,
        |mut row, (number, cut)| {
            row.push_bind(*number)
                .push_bind(cut.before)
                .push_bind(cut.form.as_str())
                .push_bind(cut.after);
        },
    )
    .await?;
    Ok(())
}

/// Keeps the paths of entries that were proven alone.
pub(super) async fn keep_paths(db: &mut SqliteConnection, kept: &Kept) -> Result<(), Fail> {
    for (finding, size, path) in &kept.paths {
        let bytes: Vec<u8> = path.iter().flat_map(|hash| *hash.as_bytes()).collect();
        sqlx::query(
            "UPDATE kept_leaf SET path_size = $2, path = $3
             WHERE path IS NULL AND finding = (SELECT number FROM finding WHERE id = $1)",
        )
        .bind(finding.as_bytes().as_slice())
        .bind(value::integer(*size)?)
        .bind(bytes)
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

/// What is kept of the entry of a finding.
pub(super) async fn entry(
    db: &mut SqliteConnection,
    id: FindingId,
) -> Result<Option<KeptEntry>, Fail> {
    // The leaf may be with another finding of the same entry.
    let row = sqlx::query(
        "SELECT f.origin, f.entry_index - t.base AS place, f.leaf_hash, k.before, k.form, k.after, k.path_size, k.path,
           s.certificate, e.body AS whole
         FROM finding f JOIN tree t ON t.origin = f.origin
         JOIN finding g ON g.leaf_hash = f.leaf_hash AND g.origin = f.origin AND g.entry_index = f.entry_index
         LEFT JOIN kept_leaf k ON k.finding = g.number LEFT JOIN signer s ON s.key = g.signer
         LEFT JOIN evidence e ON e.finding = g.number AND e.kind = 'leaf'
         WHERE f.id = $1 AND f.entry_index IS NOT NULL AND f.leaf_hash IS NOT NULL AND g.leaf_hash IS NOT NULL
         ORDER BY k.finding IS NULL, k.path IS NULL, e.body IS NULL, k.finding LIMIT 1",
    )
    .bind(id.as_bytes().as_slice())
    .fetch_optional(&mut *db)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let leaf = match row.try_get("form")? {
        Some(form) => kept_leaf::joined(
            row.try_get("before")?,
            form,
            row.try_get("after")?,
            row.try_get("certificate")?,
        ),
        // An entry that could not be understood is part of its finding.
        None => match row.try_get("whole")? {
            Some(leaf) => Some(leaf),
            None => return Ok(None),
        },
    };
    let hash: &str = row.try_get("leaf_hash")?;
    let Some(leaf) = leaf.filter(|leaf| leaf_hash(leaf).to_hex() == hash) else {
        return Err(Fail::corrupt(format!(
            "the kept leaf {hash} has another hash"
        )));
    };
    let tree = TreeId::new(row.try_get::<&str, _>("origin")?);
    let index = value::natural(row.try_get("place")?)?;
    let path: Option<Vec<u8>> = row.try_get("path")?;
    let alone = match (path, row.try_get::<Option<i64>, _>("path_size")?) {
        (Some(path), Some(size)) => {
            let (hashes, _) = path.as_chunks::<{ Hash::BYTES }>();
            Some((size, hashes.iter().map(|hash| Hash::new(*hash)).collect()))
        }
        _ => None,
    };
    let (proof, trusted_root) = match prove(db, &tree, &leaf, index, alone).await? {
        Some((head, path, trusted_root)) => (Some((head, path)), trusted_root),
        None => (None, None),
    };
    Ok(Some(KeptEntry {
        leaf,
        proof,
        trusted_root,
    }))
}

type Proven = (Head, Vec<Hash>, Option<Vec<u8>>);

/// The first checkpoint above an entry to which its path leads.
async fn prove(
    db: &mut SqliteConnection,
    tree: &TreeId,
    leaf: &[u8],
    index: u64,
    alone: Option<(i64, Vec<Hash>)>,
) -> Result<Option<Proven>, Fail> {
    let rows = sqlx::query(
        "SELECT c.size, c.root, c.note, r.body FROM kept_checkpoint c LEFT JOIN kept_trusted_root r ON r.sha256 = c.trusted_root
         WHERE c.origin = $1 AND c.size > $2 ORDER BY c.size LIMIT $3",
    )
    .bind(tree.as_str())
    .bind(value::integer(index)?.max(alone.as_ref().map_or(0, |(size, _)| size - 1)))
    .bind(MAX_TRIED)
    .fetch_all(&mut *db)
    .await?;
    let leaf = leaf_hash(leaf);
    let mut tiles: BTreeMap<(u8, u64), Tile> = BTreeMap::new();
    for row in rows {
        let size: i64 = row.try_get("size")?;
        let head = value::head(size, row.try_get("root")?, row.try_get("note")?)?;
        let path = match &alone {
            Some((of, path)) if *of == size => Some(path.clone()),
            Some(_) => None,
            None => path(db, tree, index, head.size, &mut tiles).await?,
        };
        if let Some(path) = path
            && verify_inclusion(&leaf, index, head.size, &path, &head.root).is_ok()
        {
            return Ok(Some((head, path, row.try_get("body")?)));
        }
    }
    Ok(None)
}

/// The path of an entry in a tree of that size, from the kept hashes.
async fn path(
    db: &mut SqliteConnection,
    tree: &TreeId,
    index: u64,
    size: u64,
    tiles: &mut BTreeMap<(u8, u64), Tile>,
) -> Result<Option<Vec<Hash>>, Fail> {
    // First which hashes, then their tiles: the database is asked asynchronously.
    let mut wanted = Vec::new();
    let asked = inclusion_path_of(index, size, |node| {
        wanted.push(node);
        Some(Hash::new([0; Hash::BYTES]))
    });
    if asked.is_err() {
        return Ok(None);
    }
    for node in wanted {
        let (of, _) = place(node);
        if let btree_map::Entry::Vacant(free) = tiles.entry(of) {
            free.insert(tile(db, tree, of.0, of.1).await?);
        }
    }
    let found = inclusion_path_of(index, size, |node| {
        let (of, place) = place(node);
        tiles.get(&of)?.get(&place).copied()
    });
    Ok(found.ok().flatten())
}

/// Whether each of these ranges contains the entry of an unproven finding.
pub(super) async fn has_unproven(
    db: &mut SqliteConnection,
    tree: &TreeId,
    ranges: &[Range<u64>],
) -> Result<Vec<bool>, Fail> {
    let mut found = Vec::with_capacity(ranges.len());
    for range in ranges {
        let is_there: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM finding WHERE origin = $1 AND proven = 0
               AND entry_index >= (SELECT base FROM tree WHERE origin = $1) + $2
               AND entry_index < (SELECT base FROM tree WHERE origin = $1) + $3)",
        )
        .bind(tree.as_str())
        .bind(value::integer(range.start)?)
        .bind(value::integer(range.end)?)
        .fetch_one(&mut *db)
        .await?;
        found.push(is_there);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_node_has_a_place_of_its_own_and_tiles_are_read_as_they_are_written() {
        let mut tiles: BTreeMap<(u8, u64), Tile> = BTreeMap::new();
        let mut count = 0;
        for level in 0..20_u8 {
            for index in 0..1_000_u64 >> (level / 2) {
                let node = Node { level, index };
                let (tile, place) = place(node);
                assert!(tile.0 == level / 8 && place.0 == level % 8);
                let hash = leaf_hash(format!("{level} {index}").as_bytes());
                assert_eq!(
                    tiles.entry(tile).or_default().insert(place, hash),
                    None,
                    "{node:?}"
                );
                count += 1;
            }
        }
        let again = tiles
            .values()
            .map(|tile| read_tile(&tile_bytes(tile)).expect("a tile"));
        assert_eq!(again.map(|tile| tile.len()).sum::<usize>(), count);
        assert!(read_tile(&[0; ITEM_BYTES + 1]).is_err());
    }
}
