"""Kanji in the forms before 1946, which names of companies and people still have, and the forms that readers know."""

from __future__ import annotations

_PAIRS = (
    "亜亞悪惡圧壓囲圍医醫為爲壱壹隠隱栄榮営營衛衞駅驛円圓塩鹽縁緣艶艷応應欧歐殴毆桜櫻奥奧横橫温溫穏穩仮假"
    "価價画畫会會絵繪壊壞懐懷拡擴殻殼覚覺学學岳嶽楽樂渇渴缶罐巻卷陥陷勧勸寛寬関關歓歡観觀気氣帰歸偽僞戯戲"
    "犠犧旧舊拠據挙擧虚虛峡峽挟挾狭狹郷鄕暁曉区區駆驅勲勳薫薰径徑茎莖恵惠掲揭渓溪経經蛍螢軽輕継繼鶏鷄芸藝"
    "撃擊欠缺研硏県縣倹儉剣劍険險圏圈検檢献獻権權顕顯験驗厳嚴広廣効效恒恆黄黃鉱鑛号號国國黒黑砕碎済濟斎齋"
    "剤劑雑雜参參桟棧蚕蠶惨慘賛贊残殘糸絲歯齒児兒辞辭湿濕実實写寫釈釋寿壽収收従從渋澁獣獸縦縱粛肅処處叙敍"
    "将將称稱渉涉焼燒証證奨奬条條状狀乗乘浄淨剰剩畳疊縄繩壌壤嬢孃譲讓醸釀触觸嘱囑真眞寝寢慎愼尽盡図圖粋粹"
    "酔醉穂穗随隨髄髓枢樞数數瀬瀨声聲斉齊静靜窃竊摂攝専專浅淺戦戰践踐銭錢潜潛繊纖禅禪双雙壮壯争爭荘莊捜搜"
    "挿插巣巢曽曾痩瘦装裝総總騒騷増增蔵藏臓臟即卽属屬続續堕墮対對体體帯帶滞滯台臺滝瀧択擇沢澤担擔単單胆膽"
    "団團断斷弾彈遅遲痴癡虫蟲昼晝鋳鑄庁廳徴徵聴聽勅敕鎮鎭逓遞鉄鐵点點転轉伝傳灯燈当當党黨盗盜稲稻闘鬭徳德"
    "独獨読讀届屆弐貳悩惱脳腦覇霸拝拜廃廢売賣麦麥発發髪髮抜拔晩晚蛮蠻秘祕浜濱瓶甁払拂仏佛併倂並竝辺邊変變"
    "歩步宝寶豊豐褒襃翻飜毎每万萬満滿麺麵黙默弥彌訳譯薬藥与與予豫余餘誉譽揺搖様樣謡謠来來頼賴乱亂覧覽竜龍"
    "両兩猟獵緑綠涙淚塁壘礼禮励勵戻戾霊靈隷隸齢齡暦曆歴歷恋戀炉爐労勞楼樓録錄湾灣内內青靑清淸教敎説說税稅"
    "絶絕産產顔顏彦彥郎郞別别事亊高髙崎﨑辺邉浜濵吉𠮷島嶋桑桒徳悳弁辯弁辨弁瓣"
)
"""A form of today and an old one of it, in turns: those of the list of common kanji (jōyō kanji) that no normal form of Unicode
folds, and some that only names have."""
TODAY = dict(zip(map(ord, _PAIRS[1::2]), _PAIRS[::2], strict=True))
"""The form of today, by the code point of the old one."""
