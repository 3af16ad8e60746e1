"""Silent training errors in anybody's loop, named with evidence: `watch` records, `rules` judge, `report` tells."""
